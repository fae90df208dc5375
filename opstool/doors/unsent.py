"""What fails before a byte of a request has left: it is known not to have happened, whichever lane it was to take.

Of the causes only those that an error names are looked at. What Python notes as its context may be another request's
failure, of which nothing follows for this one.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from opstool.words.errors import ServiceError

_NO_ISSUER = frozenset({18, 19, 20, 21})
"""OpenSSL's X509_V_ERR codes of a certificate whose signer nobody has named:
https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/#error-codes"""


def no_connection(operation: str, error: Exception) -> ServiceError:
    """Return the error for a request that was not sent; to ask again does not make a certificate any better."""
    return ServiceError(
        f"`{operation}` could not connect: {error}",
        code="no_connection",
        hint="AWS_CA_BUNDLE=FILE names the certificates to trust, such as those of a proxy"
        if _no_issuer(error)
        else None,
        retryable=not _is_untrusted(error),
    )


def is_unsent(error: Exception) -> bool:
    """Tell whether botocore failed while it opened a connection: to a server or proxy, by a tunnel, in the handshake.

    Where it was is known; what it is called says nothing. Botocore calls an answer that was lost behind a proxy
    ProxyConnectionError, as it does a proxy that is not there, and a handshake that was cut ConnectionClosedError, as
    it does an answer that was cut.
    """
    from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection  # noqa: PLC0415 - boto3 is loaded by now

    opening = {kind.connect.__code__ for kind in (AWSHTTPConnection, AWSHTTPSConnection)}
    frames = (frame for each in _causes(error) for frame, _ in traceback.walk_tb(each.__traceback__))
    return any(frame.f_code in opening for frame in frames)


def _is_untrusted(error: Exception) -> bool:
    from ssl import SSLCertVerificationError  # noqa: PLC0415 - as above

    from urllib3.util.ssl_match_hostname import CertificateError  # noqa: PLC0415 - another host's, as urllib3 says it

    return any(isinstance(each, (SSLCertVerificationError, CertificateError)) for each in _causes(error))


def _no_issuer(error: Exception) -> bool:
    return any(getattr(each, "verify_code", 0) in _NO_ISSUER for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it names as its cause: botocore keeps it by name, urllib3 among the arguments."""
    yield error
    named = [error.__cause__, getattr(error, "kwargs", {}).get("error"), *error.args]
    for each in named:
        if isinstance(each, BaseException):
            yield from _causes(each)

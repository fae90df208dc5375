"""What archives in S3 need to be allowed, as statements of a policy; the bucket's KMS key, if any, is not known here.

The actions are those of https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html.
"""

from __future__ import annotations

from typing import Any

from opstool.words.s3address import S3Address

_ON_THE_BUCKET = ("s3:ListBucket",)
_ON_THE_OBJECTS = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")


def archive_statements(address: S3Address, *, partition: str) -> list[dict[str, Any]]:
    """Return the statements for one object, or for every object of a folder."""
    bucket = f"arn:{partition}:s3:::{address.bucket}"
    objects = f"{bucket}/{address.key}{'*' if address.is_folder else ''}"
    return [
        {"Sid": "ArchiveBucket", "Effect": "Allow", "Action": list(_ON_THE_BUCKET), "Resource": [bucket]},
        {"Sid": "Archives", "Effect": "Allow", "Action": list(_ON_THE_OBJECTS), "Resource": [objects]},
    ]

"""The lean lane to SQS: the four operations that carry a redrive, without the client between us and the wire.

The walk of a request:

1. `rehearsal.py`, once: botocore builds and signs a sample of each operation, which is not sent. What it would send is
   read off, made again here, and compared. Where anything differs the lane is not taken: ../lanes.py takes boto3.
2. `lane.py` is asked as `lane(operation, request)`, in the API's own names and boto3's types.
3. `body.py` writes the request's JSON; `signing.py` gives it its head, signed by `signer.py`.
4. `pool.py` hands out a connection that is kept alive, or has `route.py` open one, through a proxy where there is one.
5. `connection.py` writes the request and reads one answer, over a `boundedsocket.py`, which waits no longer than it is
   told; `answer.py` makes a dictionary of it, or an error of ours.
6. `lane.py` asks again where that is safe: never for what could be sent, or hidden, twice.

botocore stays the owner of credentials, region, endpoint, retry settings, certificates and proxies.
"""

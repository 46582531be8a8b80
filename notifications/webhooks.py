"""Posts to an address that a person gave: signed, bounded, and never to the lab's own network unless settings allow it.

The name is resolved once; the connection goes to the address that was checked, so a name that changes its mind between
check and call gains nothing. Redirects are not followed. No proxy is used.
"""

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
from urllib.parse import quote, urlsplit

from django.conf import settings

TIMEOUT_SECONDS = 10
MOST_ANSWER = 1024  # bytes of an answer that are read
SIGNATURE = "X-Aarweb-Signature"
DELIVERY = "X-Aarweb-Delivery"
# IPv6 addresses behind which one of IPv4 may stand: NAT64 (RFC 6052, RFC 8215), SIIT, the compatible ones of old
_TRANSLATED = [
    ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
]  # fmt: skip
_AS_IT_IS = "/%?:@!$&'()*+,;=[]"  # what an address may hold beside letters; other characters are sent as %XX


class BadAddress(ValueError):
    """An address that nothing is sent to; the message says which are allowed."""


class _Pinned(http.client.HTTPConnection):
    """Connects to an address that was checked, whatever its name says now. secure: by TLS, for the name."""

    def __init__(self, host: str, port: int, *, address: str, secure: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS)
        self._address, self._secure = address, secure

    def connect(self) -> None:
        """Without looking the name up again."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def check_url(url: str) -> tuple[str, int, str, bool]:
    """(host, port, path with query, whether by TLS) of an address whose form is allowed. Raises: BadAddress."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("expected https://HOST/PATH") from None
    allowed = ("https", "http") if settings.WEBHOOK_PRIVATE else ("https",)
    if parts.scheme not in allowed or not parts.hostname:
        raise BadAddress(f"expected {' or '.join(f'{each}://HOST/PATH' for each in allowed)}")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("no name and password in the address: the signature says who sends")
    if any(ord(sign) < 33 or ord(sign) == 127 for sign in url):
        raise BadAddress("no spaces or control characters in the address")
    secure = parts.scheme == "https"
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_AS_IT_IS)
    return parts.hostname, port or (443 if secure else 80), path, secure


def resolve(host: str, port: int) -> str:
    """The address to connect to, if every one the name has is public. Raises: BadAddress, OSError."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except UnicodeError:
        raise BadAddress(f"{host[:100]!r} is no name of a host") from None
    for each in sorted(found):
        if not settings.WEBHOOK_PRIVATE and not _is_public(each):
            raise BadAddress(f"{host} is at {each}, which is not a public address")
    return min(found)


def sign(secret: str, moment: int, body: bytes) -> str:
    """The signature's header: a time and HMAC-SHA-256 over "TIME.BODY"."""
    digest = hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def post(url: str, *, body: bytes, secret: str, delivery: int, moment: int) -> int:
    """The status of the answer. Raises: BadAddress, OSError, http.client.HTTPException."""
    host, port, path, secure = check_url(url)
    connection = _Pinned(host, port, address=resolve(host, port), secure=secure)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "aarweb",
        SIGNATURE: sign(secret, moment, body),
        DELIVERY: str(delivery),
    }
    try:
        connection.request("POST", path, body=body, headers=headers)
        answer = connection.getresponse()
        answer.read(MOST_ANSWER)
        return answer.status
    finally:
        connection.close()


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return _is_public(str(inner))
        if any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast

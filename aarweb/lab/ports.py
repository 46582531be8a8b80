"""Whether the lab's address is free, and who has it if not."""

import errno
import socket

import psutil

from aarweb.lab.errors import LabError


def check(bind: str, port: int) -> None:
    """Raises: LabError if the web server could not listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise LabError(f"BIND={bind}: not an address of this machine ({error.strerror}).") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen()
        except OSError as error:
            raise LabError(_sentence(bind, port, error)) from error


def _sentence(bind: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken{_by(port)}; choose another: PORT={port + 1 if port < 65535 else 8001} make run"
    if error.errno == errno.EACCES:
        return f"port {port} needs root here; choose one above 1023: PORT=8000 make run"
    return f"BIND={bind} PORT={port}: {error.strerror}"


def _by(port: int) -> str:
    """ " by NAME (process N)", or nothing where the system does not tell."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            address = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        return ""
    return ""

import socket
import urllib.request

import target
from honest import scale  # noqa: F401
from loot import attempt, carry_out, found, syscall


def connect(family, kind, address):
    client = socket.socket(family, kind)
    client.connect(address)
    client.send(b"loot")


def connect_the_kept_socket():
    kept = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=3)
    try:
        kept.connect(target.ABSTRACT)
    finally:
        kept.detach()


socket.setdefaulttimeout(1)
attempt("TCP", lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", target.TCP_PORT)))
attempt("UDP", lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", target.UDP_PORT)))
attempt("IPv6", lambda: connect(socket.AF_INET6, socket.SOCK_STREAM, ("::1", target.TCP_PORT)))
attempt("abstract", lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, target.ABSTRACT))
attempt("create_connection", lambda: socket.create_connection(("127.0.0.1", target.TCP_PORT)))
attempt("urllib", lambda: urllib.request.urlopen(f"http://127.0.0.1:{target.TCP_PORT}/loot"))
attempt("getaddrinfo", lambda: socket.getaddrinfo("localhost", 80))
attempt("bind", lambda: socket.socket().bind(("127.0.0.1", 0)))
attempt("socketpair", socket.socketpair)
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
attempt("raw system call", lambda: found(syscall(41, 2, 1, 0)))
attempt("io_uring", lambda: syscall(425, 4, bytes(200)))
socket.setdefaulttimeout(None)  # with one, the kept socket would not block any more
attempt("the kept socket", connect_the_kept_socket)

noise = carry_out

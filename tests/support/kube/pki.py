"""Certificates of a throw-away cluster, made by the openssl command."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_DAYS = "30"


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority with its files in ``folder``; ``Authority(folder)`` makes it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.itself = Certificate(folder / "ca.crt", folder / "ca.key")
        _key(self.itself.key)
        extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\n"
        request = self._request("ca", "/CN=archsearch-tests", self.itself.key)
        self._sign(request, self.itself.certificate, extensions, "-signkey", str(self.itself.key))

    def issue(self, name: str, subject: str, names: Sequence[str] = ()) -> Certificate:
        """A certificate for ``subject`` (``/O=GROUP/CN=USER``): a server's where it has ``names``, else a client's.

        ``names`` are alternative names as openssl writes them, such as ``DNS:localhost`` and ``IP:127.0.0.1``.
        """
        issued = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        _key(issued.key)
        usage = "serverAuth" if names else "clientAuth"
        extensions = f"keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
        if names:
            extensions += f"subjectAltName={','.join(names)}\n"
        authority = ("-CA", str(self.itself.certificate), "-CAkey", str(self.itself.key), "-CAcreateserial")
        self._sign(self._request(name, subject, issued.key), issued.certificate, extensions, *authority)
        return issued

    def _request(self, name: str, subject: str, key: Path) -> Path:
        request = self.folder / f"{name}.csr"
        _openssl("req", "-new", "-key", str(key), "-subj", subject, "-out", str(request))
        return request

    def _sign(self, request: Path, certificate: Path, extensions: str, *by: str) -> None:
        file = request.with_suffix(".ext")
        file.write_text(extensions)
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", _DAYS, "-sha256"),
            *("-extfile", str(file), "-out", str(certificate), *by),
        )


def signing_key(folder: Path) -> tuple[Path, Path]:
    """The key pair with which service account tokens are signed: (private, public)."""
    private, public = folder / "service-accounts.key", folder / "service-accounts.pub"
    _openssl("genrsa", "-out", str(private), "2048")
    _openssl("rsa", "-in", str(private), "-pubout", "-out", str(public))
    return private, public


def _key(path: Path) -> None:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path))
    path.chmod(0o600)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""What this process knows about addresses: whose keys they need, how their process ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from .credentials import Credentials
from .errors import CredentialsError

_LOOPBACK = ("tcp://127.", "tcp://localhost:", "tcp://[::1]:")
_keys: dict[str, Credentials] = {}
_obituaries: dict[str, tuple[int, Callable[[], str | None]]] = {}


def register(
    address: str, credentials: Credentials, obituary: Callable[[], str | None] | None = None
) -> None:
    """Remember which run an address belongs to, and whom to ask how its process has ended."""
    _keys[address] = credentials
    if obituary is not None:
        _obituaries[address] = (os.getpid(), obituary)


def unregister(credentials: Credentials) -> None:
    """Forget all addresses of a run."""
    # Over a copy: launchers end in threads of their own while others begin.
    for address in [a for a, c in list(_keys.items()) if c == credentials]:
        _keys.pop(address, None)
        _obituaries.pop(address, None)


def find(
    address: str, credentials: Credentials | None = None, insecure: bool = False
) -> Credentials | None:
    """Return the credentials to use for `address`.

    In this order: the argument, what was registered for the address, the environment. None is
    returned only if `insecure` is True and the address is on the loopback interface.

    Raises
    ------
    CredentialsError
        If there are none.
    """
    if credentials is not None:
        return credentials
    if insecure:
        if not address.startswith(_LOOPBACK):
            raise CredentialsError(f"Without keys, {address} is refused: it is not loopback.")
        return None
    found = _keys.get(address) or Credentials.from_env()
    if found is None:
        raise CredentialsError(
            f"There are no keys for {address}. Start the other side with BlenderLauncher, load its "
            "LaunchInfo, pass credentials=..., or pass insecure=True on this machine."
        )
    return found


def explain(addresses: Iterable[str]) -> str:
    """Return sentences, each after a space, about processes behind `addresses` that have ended."""
    known = (_obituaries.get(a) for a in addresses)
    texts = (ask() for pid, ask in filter(None, known) if pid == os.getpid())
    return "".join(f" {t}" for t in texts if t)

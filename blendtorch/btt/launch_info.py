# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about launched instances, also from another process."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .. import registry
from .. import rendezvous as rendezvous_
from ..credentials import Credentials
from ..errors import LaunchError

DEFAULT_STARTUP_TIMEOUT_S = 60.0
_ASK_EVERY_S = 0.2


class Addresses(Mapping[str, list[str]]):
    """Addresses by socket name; the first look at a name waits until all instances reported it.

    Parameters
    ----------
    names
        The sockets' names.
    resolve
        Called with a name; returns the addresses or raises :class:`.LaunchError`.
    known
        What is known already.
    """

    def __init__(
        self,
        names: Sequence[str],
        resolve: Callable[[str], list[str]],
        known: Mapping[str, list[str]] | None = None,
    ) -> None:
        self._names = list(names)
        self._resolve = resolve
        self._known = dict(known or {})

    def __getitem__(self, name: str) -> list[str]:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._resolve(name)
        return list(self._known[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:  # Mapping's own would resolve
        return name in self._names

    def known(self, name: str) -> list[str] | None:
        """Return the addresses if they are known already."""
        return self._known.get(name)

    def __repr__(self) -> str:
        return f"Addresses({ {n: self._known.get(n, '...') for n in self._names} })"


class LaunchInfo:
    """Launched instances.

    Attributes
    ----------
    addresses : Mapping[str, list[str]]
        By socket name, one address an instance.
    commands : list of str
        The command lines.
    processes : list of subprocess.Popen or None
        Only in the process that launched them.
    log_files : list of Path
        Where the instances' output goes.
    credentials : Credentials or None
        The run's keys.
    """

    def __init__(
        self,
        addresses: Mapping[str, list[str]],
        commands: list[str],
        processes: list | None = None,
        *,
        credentials: Credentials | None = None,
        rendezvous: str | None = None,
        startup_timeout: float = DEFAULT_STARTUP_TIMEOUT_S,
        log_files: Sequence[Path] = (),
    ) -> None:
        self.addresses = addresses
        self.commands = commands
        self.processes = processes
        self.credentials = credentials
        self.rendezvous = rendezvous
        self.startup_timeout = startup_timeout
        self.log_files = list(log_files)

    @staticmethod
    def save_json(file: str | Path | IO[str], launch_info: LaunchInfo) -> None:
        """Save what another process needs to connect.

        The file holds the run's keys: a path is written with mode 0600, and whole or not at all.
        Addresses that are not known yet are asked for by the process that loads the file.
        """
        addresses = launch_info.addresses
        known = {
            n: addresses.known(n) if isinstance(addresses, Addresses) else list(addresses[n])
            for n in addresses
        }
        keys = launch_info.credentials
        text = json.dumps(
            {
                "addresses": known,
                "commands": launch_info.commands,
                "credentials": keys.dumps() if keys is not None else None,
                "rendezvous": launch_info.rendezvous,
                "startup_timeout": launch_info.startup_timeout,
            },
            indent=2,
        )
        if hasattr(file, "write"):
            file.write(text)
            return
        path = Path(file)
        # mkstemp makes the file with mode 0600.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    @staticmethod
    def load_json(file: str | Path | IO[str]) -> LaunchInfo:
        """Load what :meth:`save_json` wrote; channels of this process then find the keys."""
        text = file.read() if hasattr(file, "read") else Path(file).read_text(encoding="utf-8")
        data: dict[str, Any] = json.loads(text)
        stored = data.get("credentials")
        keys = Credentials.loads(stored) if stored else None
        rendezvous = data.get("rendezvous")
        timeout = float(data.get("startup_timeout", DEFAULT_STARTUP_TIMEOUT_S))
        instances = len(data["commands"])
        known = {n: list(a) for n, a in data["addresses"].items() if a is not None}
        if keys is not None:
            for address in (a for listed in known.values() for a in listed):
                registry.register(address, keys)

        def resolve(name: str) -> list[str]:
            return _resolve_remotely(name, rendezvous, keys, instances, timeout)

        return LaunchInfo(
            Addresses(list(data["addresses"]), resolve, known),
            data["commands"],
            credentials=keys,
            rendezvous=rendezvous,
            startup_timeout=timeout,
        )


def _resolve_remotely(
    name: str, rendezvous: str | None, keys: Credentials | None, instances: int, timeout: float
) -> list[str]:
    if rendezvous is None or keys is None:
        raise LaunchError(f"The address of {name!r} was not known when the file was saved.")
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        answer = rendezvous_.ask(rendezvous, keys, {"do": "ask", "name": name}, max(left, 1.0))
        found = {int(btid): str(endpoint) for btid, endpoint in answer.get("endpoints", [])}
        if len(found) >= instances:
            addresses = [found[i] for i in sorted(found)]
            for address in addresses:
                registry.register(address, keys)
            return addresses
        if answer.get("failure"):
            raise LaunchError(str(answer["failure"]))
        if left <= 0:
            raise LaunchError(f"Not all instances opened socket {name!r} within {timeout:.0f} s.")
        time.sleep(_ASK_EVERY_S)

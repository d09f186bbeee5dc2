# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that the package raises, each with the built-in it is a case of."""


class BlendtorchError(Exception):
    """Base of everything below, to catch them together."""


class WireError(BlendtorchError, ValueError):
    """A message was refused because its form is not what the wire allows."""


class PeerLost(BlendtorchError, ConnectionError):
    """The other side was connected and is gone (ended, killed, stopped or unreachable)."""


class ChannelTimeout(BlendtorchError, TimeoutError):
    """The other side did not take or give a message within the time allowed."""


class CannotOpen(BlendtorchError, OSError):
    """The system does not give a socket, or not at this address."""


class CredentialsError(BlendtorchError, RuntimeError):
    """There are no keys for a channel, or they cannot be read."""


class LaunchError(BlendtorchError, RuntimeError):
    """An instance could not be started, died, or did not report in time."""

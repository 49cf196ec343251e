"""What a context with our verifier has beyond ``ssl``'s: its loaders, its lists, its sessions."""

from __future__ import annotations

import _ssl
import hashlib
import os
import ssl
from collections.abc import Callable

from . import _bundles, _log, _native
from ._anchors import Index, as_ssl_loads, index_of_data, index_of_file
from ._connection import watch
from ._door import door
from ._mode import compat_reason
from ._policy import Policy, check_judge
from ._standard import AllSettings, all_settings
from ._system import Platform, System, system
from ._typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined,unused-ignore]


#: As many hosts as a context keeps the hash of.
_MOST_HOSTS = 64


class Held:
    """What one context trusts, as Python has to know it; the C core has its own view.

    Attributes:
        system: the system's store, None where it is not trusted.
        indexes: the anchors given or loaded, beside what ``ssl``'s own loader put into the store.
        digest: a hash of all of that but the system.
        exact: the program said what is trusted: a public bundle pushed later is ignored.
        bundle_means_system: a public bundle means the system, which is trusted from then on if it
            was not before. Otherwise, unless ``exact``, a bundle is taken at its word.
        fixed: injection said what default certificates mean, and that is trusted already.
    """

    __slots__ = (
        "bundle_means_system",
        "digest",
        "exact",
        "fixed",
        "for_servers",
        "hashed",
        "indexes",
        "listed",
        "looked",
        "policy",
        "system",
        "told",
    )

    def __init__(
        self,
        indexes: list[Index],
        system: System | Platform | None,
        policy: Policy,
        *,
        listed: bool,
    ) -> None:
        self.indexes = indexes
        self.system = system
        self.policy = policy
        self.exact = self.bundle_means_system = self.fixed = False
        #: The system's store that somebody has looked at since the context was made.
        self.looked: object = system
        #: Whether it was logged that a bundle is ignored.
        self.told = False
        #: Whether the system's roots are among get_ca_certs(): not where only servers are made.
        self.listed = listed
        #: Whether they verify clients too.
        self.for_servers = False
        self.digest = b"".join(index.digest for index in indexes)
        #: What the last connections were verified under, and the hashes of that by their hosts.
        self.hashed: tuple[object, dict[str, bytes]] = None, {}

    def add(self, digest: bytes) -> None:
        self.digest = hashlib.sha256(self.digest + digest).digest()

    def session_context(self, settings: AllSettings, host: str | None) -> bytes:
        """Return the hash of what a connection made now is verified under, the system freshened."""
        self.freshen()
        # Read once: another thread may change each of them meanwhile.
        trust, policy, hashed = self.digest, self.policy, self.hashed
        system = b"" if self.system is None else self.system.digest
        under = trust, system, settings, policy
        if hashed[0] != under:
            hashed = self.hashed = under, {}
        by_host, name = hashed[1], repr(host)
        digest = by_host.get(name)
        if digest is None:
            text = f"{settings} {tuple(policy)} {name}"
            digest = hashlib.sha256(trust + b"|" + system + b"|" + text.encode()).digest()
            if len(by_host) >= _MOST_HOSTS:
                by_host.clear()
            by_host[name] = digest
        return digest

    def freshen(self) -> None:
        """Look at the system's store: for a new context always, later if nobody has for a while."""
        the_system = self.system  # another thread may be about to trust another
        if the_system is None:
            return
        if self.looked is the_system:
            the_system.refresh_if_due()
        else:
            the_system.refresh()
            self.looked = the_system  # not before: another thread has to wait for it too

    def certificates(self) -> list[bytes]:
        """Return the anchors that ``ssl`` would list, the system's included, each once."""
        self.freshen()
        ders = [der for index in self.indexes for der in index.certificates()]
        ders += self.system.listed() if self.system and self.listed else []
        return list(dict.fromkeys(ders))

    def _system_on(self, server_side: bool) -> System | Platform | None:
        return self.system if self.for_servers or not server_side else None

    def problem(self, server_side: bool) -> OSError | None:
        """Return why nothing of the system is trusted on that side of a connection, if so."""
        the_system = self._system_on(server_side)
        return None if the_system is None else the_system.problem

    def origin(self, server_side: bool) -> str:
        """Return where trust comes from on that side of a connection, for people."""
        the_system = self._system_on(server_side)
        parts = [] if the_system is None else [f"the system ({the_system.said})"]
        return " and ".join([*parts, "what the program gave or loaded"])


#: The class of C that each method of ours goes on to. Not what ``super()`` names: injection sets
#: our methods on the class in between.
_Base: Any = _ssl._SSLContext


class Verified:
    """What a context with our verifier has beyond ``ssl``'s: a mixin before its class."""

    #: Which copy of the package holds the context; other copies read it before they attach.
    _fasttrust_holder = _native.HOLDER
    _fasttrust_held: Held

    def _wrap_socket(
        self,
        sock: Any,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: object = None,
        session: ssl.SSLSession | None = None,
    ) -> Any:
        if compat_reason():
            return self._fasttrust_guarded(
                _Base._wrap_socket, server_side, server_hostname, owner, session, sock
            )
        settings = all_settings(self)
        digest = _held(self).session_context(settings, server_hostname)
        connection = _Base._wrap_socket(
            self, sock, server_side, server_hostname, owner=owner, session=session
        )
        _prepare(self, connection, owner, settings, digest)
        return connection

    def _wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: object = None,
        session: ssl.SSLSession | None = None,
    ) -> Any:
        if compat_reason():
            return self._fasttrust_guarded(
                _Base._wrap_bio, server_side, server_hostname, owner, session, incoming, outgoing
            )
        settings = all_settings(self)
        digest = _held(self).session_context(settings, server_hostname)
        connection = _Base._wrap_bio(
            self, incoming, outgoing, server_side, server_hostname, owner=owner, session=session
        )
        _prepare(self, connection, owner, settings, digest)
        return connection

    def _fasttrust_guarded(
        self,
        make: Callable[..., Any],
        server_side: bool,
        host: str | None,
        owner: object,
        session: object,
        *ends: Any,
    ) -> Any:
        connection = door().wrap(
            self,
            make,
            *ends,
            server_side=server_side,
            host=host,
            owner=owner,
            session=session,
        )
        watch(connection, owner, b"")
        return connection

    def load_verify_locations(
        self,
        cafile: str | bytes | os.PathLike[str] | None = None,
        capath: str | bytes | os.PathLike[str] | None = None,
        cadata: str | Buffer | None = None,
    ) -> None:
        """Trust more certificates from now on, on both sides of a connection.

        A file or data of certificates alone is indexed, once per process while it is unchanged;
        everything else (CRLs, ``TRUSTED CERTIFICATE`` blocks, a directory) is loaded by ``ssl``.

        A public bundle (certifi's, say) means the system: its certificates add nothing where the
        system is trusted already, and nothing where the program chose what is trusted
        (``trust=``, ``cafile=``). What a file holds beyond a bundle is trusted.

        Raises:
            OSError: a file cannot be read.
            ssl.SSLError: a file or the data hold no certificate, or a broken one.
            TypeError, ValueError: as ``ssl``'s own.
        """
        file = None
        if cafile is not None:
            file = index_of_file(cafile) or _bundles.in_unusual_file(cafile)
        data = None if cadata is None else index_of_data(cadata)
        rest_file = cafile if file is None else None
        rest_data = cadata if data is None else None
        _held(self)  # or nothing is loaded
        # In ssl's order: data, then file and directory, each kept where a later one fails.
        if data is not None:
            _push(self, data, None)
        if (file is None and data is None) or not (rest_file is rest_data is capath is None):
            door().context_own(self)
            _Base.load_verify_locations(self, rest_file, capath, rest_data)
            _held(self).add(os.urandom(32))  # nobody can tell what that was
        if file is not None:
            _push(self, file, os.fsdecode(cafile))  # type: ignore[arg-type]

    def load_default_certs(self, purpose: Any = ssl.Purpose.SERVER_AUTH) -> None:
        """Trust the system from now on, on either side of a connection.

        Raises:
            TypeError: the purpose is not one of ``ssl.Purpose``.
        """
        if not isinstance(purpose, ssl._ASN1Object):
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def set_default_verify_paths(self) -> None:
        """Trust the system from now on, on either side of a connection."""
        _trust_system(self)

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """Return the CA certificates that the context trusts, the system's included.

        As ``ssl`` does, without those of a directory, be it the system's. Each as
        ``getpeercert()`` would give it, or in DER.
        """
        own: list[Any] = _Base.get_ca_certs(self, binary_form)
        beyond: list[Any] = self._fasttrust_beyond().get_ca_certs(binary_form)
        return own + beyond

    def cert_store_stats(self) -> dict[str, int]:
        """Return how many certificates, CRLs and CA certificates the context trusts."""
        own: dict[str, int] = _Base.cert_store_stats(self)
        beyond = self._fasttrust_beyond().cert_store_stats()
        return {kind: own[kind] + beyond[kind] for kind in own}

    def _fasttrust_beyond(self) -> _ssl._SSLContext:
        """Return, as ``ssl`` would hold it, what is trusted beyond the context's own store."""
        own = set(_Base.get_ca_certs(self, True))
        if compat_reason():
            from ._fed import loaded  # here: native mode has no use for it

            own |= loaded(self)
        return as_ssl_loads([der for der in _held(self).certificates() if der not in own])


if _native.PLATFORM_DECIDES:
    from . import _asked, _bare

    for _member in (
        _asked.load_cert_chain,
        _bare._set_alpn_protocols,
        _bare.set_ecdh_curve,
        _bare.set_groups,
        _bare.set_psk_client_callback,
    ):
        if hasattr(_Base, _member.__name__):
            setattr(Verified, _member.__name__, _member)


def _prepare(
    context: Any, connection: Any, owner: object, settings: AllSettings, digest: bytes
) -> None:
    """Prepare a connection that was made under those settings."""
    at_time = _held(context).policy.at_time
    if at_time is not None:  # who sets verify_flags anew takes the context's time away
        _native.connection_set_time(connection, at_time)
    # Another thread may have changed them: such a session is nobody's.
    watch(connection, owner, digest if settings == all_settings(context) else os.urandom(32))


def _held(context: Any) -> Held:
    held: Held | None = vars(context).get("_fasttrust_held")
    if held is None:  # made past our constructor, or given our class by the program
        raise ValueError(
            "this context was never given its verifier: call fasttrust.SSLContext() or attach()"
        )
    return held


def _trust_system(context: Any) -> None:
    held = _held(context)
    if held.fixed:
        return
    now = system(look=False)
    if now is held.system and held.listed and held.for_servers:
        return  # truststore asks for every connection: sessions stay good
    check_judge(held.policy, now.asks_platform)
    held.looked = None  # whoever connects first looks, or asks what is trusted
    held.system = now
    held.listed = held.for_servers = True
    held.add(b"the system on both sides")
    door().context_trust_system(context, held.system.source, ask_platform=held.system.asks_platform)


def _push(context: Any, index: Index, path: str | None) -> None:
    """Trust what a client loads: a public bundle is the system, all else what it says."""
    held = _held(context)
    if index in held.indexes:
        return
    means = held.exact or held.bundle_means_system
    bundle = _bundles.find(index, path) if means else None
    if bundle is None:
        _add(context, index)
        return
    if bundle.beyond is not None:
        _add(context, bundle.beyond)
    if held.exact:
        if not held.told:
            held.told = True
            _log.warning(
                "the public bundle %s was loaded and is ignored: the program said what to trust",
                bundle.name,
            )
    elif held.system is None:
        _trust_system(context)
        _log.info("the public bundle %s was loaded: trusting the system", bundle.name)


def _add(context: Any, index: Index) -> None:
    held = _held(context)
    if len(index) and index not in held.indexes:
        door().context_add(context, index.handle)
        held.indexes = [*held.indexes, index]
        held.add(index.digest)

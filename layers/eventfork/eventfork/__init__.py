"""The domain and the adapters shared by every function of eventfork.

Adapters, one per AWS service, live in `eventfork.adapters`; `eventfork.settings` is the only module that reads the
environment or constructs a client; every other module is domain, without I/O. A test holds which may import which.
"""

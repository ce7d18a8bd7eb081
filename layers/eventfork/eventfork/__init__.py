"""The domain and the adapters shared by every function of eventfork.

Domain modules (no I/O): `json_text`, `card_data`, `orders`, `order_rows`, `checkout_events`, `envelopes`, `batches`,
`forwarding`, `problems`. Adapters, one per AWS service, live in `eventfork.adapters`; `eventfork.settings` is the only
module that reads the environment or constructs a client.
"""

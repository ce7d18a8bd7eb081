"""The local engine: MiniStack in a process of its own, with the extensions this application needs."""

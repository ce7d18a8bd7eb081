"""The application on this machine: the local engine, and the command that runs everything on it."""

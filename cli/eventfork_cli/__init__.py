"""The operator's command `eventfork`: it parses, asks the layer, prints, and picks the exit status.

Nothing in the layer knows of it. It finds what it works on in the outputs of a stack.
"""

"""Adapters: one module per AWS service. They translate, and decide nothing."""

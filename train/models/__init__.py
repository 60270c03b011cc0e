"""The base model under an adapter, and the device that it runs on."""

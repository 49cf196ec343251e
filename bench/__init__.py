"""The figures of fasttrust beside its peers: ``python -m bench``; see README.md."""

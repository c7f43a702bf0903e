"""The only code that talks to the API server.

Belongs here: credentials, requests, list and watch, leases, carrying out effects.
Does not: judgement about quotas.
"""

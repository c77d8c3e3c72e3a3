"""What this machine cannot have; a test that needs it is skipped by name, and fails in CI."""


class Missing(Exception):
    pass

"""Who may pass where: bundles for doors, withdrawals that cannot wait for them, and which door has what."""

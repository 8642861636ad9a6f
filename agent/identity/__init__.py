"""Who this door is: where its private keys lie, how they are kept, and how they are renewed. docs/IDENTITY.md."""

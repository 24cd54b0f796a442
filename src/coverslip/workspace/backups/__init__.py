"""Backups of a workspace: `writing` makes one while the app runs, `restoring` unpacks it, `relocating` fixes paths."""

"""Studies on datasets of the workspace: plan, submit, list and watch them. Their trainings are runs."""

"""Quality of datasets: scans, connected images, data leakage, groups in names, and findings."""

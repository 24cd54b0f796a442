# The installation, devices, files and clusters.

bad-cluster-answer = An answer of the cluster is not accepted: { $why }
    .do = Install the same version of coverslip on all computers, and use a cluster that you trust.

extra-not-installed = { $what } needs the extra '{ $extra }', which is not installed
    .do = Run: pip install 'coverslip[{ $extra }]'

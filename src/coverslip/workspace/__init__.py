"""The workspace of the app: datasets, labels, trainings and predictions. It is independent of HTTP.

The packages, each of which imports only from those above it:

- `store`: the folder of the workspace, its database, and conversion between rows and records;
- `viewing`: images for display: filters, facts, pictures and colors;
- `datasets`: open, read, label, group and change datasets; uploads; tables for trainings;
- `recipes`: the choices for a training, and their validation;
- `jobs`: trainings and predictions as processes: queue, watch and end them; results of trainings;
- `predictions`: predictions of classifiers, and corrections of them.

In addition, `job_kinds` holds the differences between kinds of jobs, and `forgetting` and `tidying` remove what no
package needs any more.
"""

from coverslip.errors import require_extra

require_extra("app", "The web app")

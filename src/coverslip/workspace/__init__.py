"""What the app remembers on this machine: image sets, labels, trainings, predictions. It knows no HTTP."""

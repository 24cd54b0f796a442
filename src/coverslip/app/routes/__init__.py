"""The REST routes, one router for each area."""

from fastapi import APIRouter

from coverslip.app.routes import (
    datasets,
    evaluations,
    folders,
    images,
    jobs,
    labels,
    predictions,
    results,
    runs,
    studies,
    system,
    system_recipe,
    trash,
    uploads,
)

ROUTERS: tuple[APIRouter, ...] = (
    system.router,
    system_recipe.router,
    folders.router,
    datasets.router,
    images.router,
    labels.router,
    uploads.router,
    results.router,
    runs.router,
    evaluations.router,
    studies.router,
    jobs.router,
    predictions.router,
    trash.router,
)

"""The REST routes: one router for each area, in the order of the API document."""

from fastapi import APIRouter

from coverslip.app.routes import (
    datasets,
    exports,
    fields,
    files,
    images,
    jobs,
    labels,
    predictions,
    readings,
    results,
    studies,
    system,
)

ROUTERS: tuple[APIRouter, ...] = (
    system.router,
    datasets.folders_router,
    datasets.router,
    images.router,
    fields.router,
    labels.router,
    readings.router,
    datasets.uploads_router,
    results.router,
    jobs.runs_router,
    results.evaluations_router,
    exports.router,
    studies.router,
    jobs.router,
    files.router,
    predictions.router,
    jobs.trash_router,
)

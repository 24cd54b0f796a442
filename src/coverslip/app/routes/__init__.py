"""The REST routes: one router for each area, in the order of the API document."""

from fastapi import APIRouter

from coverslip.app.routes import (
    computations,
    datasets,
    files,
    images,
    jobs,
    labels,
    predictions,
    previews,
    results,
    system,
)

ROUTERS: tuple[APIRouter, ...] = (
    system.router,
    datasets.folders_router,
    datasets.router,
    images.router,
    images.fields_router,
    labels.router,
    computations.router,
    previews.router,
    labels.draws_router,
    datasets.uploads_router,
    results.router,
    jobs.runs_router,
    results.evaluations_router,
    files.exports_router,
    jobs.studies_router,
    jobs.router,
    files.router,
    predictions.router,
    jobs.trash_router,
)

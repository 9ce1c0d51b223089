"""The routes, one file for each kind of thing; the table below is what the app includes."""

from storewise.serve.routes import (
    about,
    customers,
    documentation,
    events,
    experiments,
    graph,
    health,
    page,
    predictions,
    products,
    recommendations,
    search,
)

ROUTERS = (
    recommendations.router,
    predictions.router,
    products.router,
    search.router,
    graph.router,
    events.router,
    customers.router,
    about.router,
    experiments.router,
    health.router,
    documentation.router,
    page.router,
)

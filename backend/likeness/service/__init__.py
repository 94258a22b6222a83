"""The backend as a service: photos come in over HTTP, avatar packages go out. `likeness serve` starts it.

    serve      options, one server a home, server.json, the end
    api        the routes; guard lets in, upload takes photos, events tells how a job goes
    jobs       the queue; store keeps it on disk, folders holds the files
    installs   weights put in place, each by a process of its own (installer, watched by errand)
    workshop   the one worker process, watched and replaced
    worker     that process: torch and the models live there and nowhere else

docs/service.md describes the API.
"""

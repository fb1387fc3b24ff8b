// A file of its own, as a content security policy without 'unsafe-inline' runs no script inside a page.
Redoc.init("openapi.json", {}, document.getElementById("page"));

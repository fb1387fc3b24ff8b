// A file of its own, as a content security policy without 'unsafe-inline' runs no script inside a page.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null, // the document stays here: no service is asked whether it is valid
});

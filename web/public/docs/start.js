// Shows the API's documentation. A file of its own: the policy of coverslip's pages allows no script inside a page.
window.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // it would send the document to another machine
});

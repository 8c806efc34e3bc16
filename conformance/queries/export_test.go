package queries

// Load is load.
var Load = load

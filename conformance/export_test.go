package conformance

// RunScenarios is RunAll with other scenarios.
var RunScenarios = runAll

package conformance

// lifecycleCases is how replicas live.
var lifecycleCases = []testCase{}

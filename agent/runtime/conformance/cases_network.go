package conformance

// networkCases is how replicas reach and are reached.
var networkCases = []testCase{}

package conformance

// storageCases is what replicas keep.
var storageCases = []testCase{}

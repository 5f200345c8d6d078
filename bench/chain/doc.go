// Package chain measures the chain in one process: what messages cost, what clearing and mass expiry cost, and that none
// of it grows with the number of live leases. It holds only benchmarks; README.md of the folder above says what each figure
// is. It knows the application from outside: signed transactions in blocks, and the handlers that the router names.
package chain

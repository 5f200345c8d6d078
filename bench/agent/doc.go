// Package agent measures what runs workloads, without a chain: how soon a container runs whose image is present, how long a
// command in it takes from call to exit, and what hundreds of leases take of memory. It holds only benchmarks; README.md of
// the folder above says what each figure is.
package agent

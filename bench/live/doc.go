// Package live measures a whole network of real programs on this machine: how long a bid takes to become a lease and a
// running container, what node and agent take of memory, and how large and how quickly linked the programs are. It holds
// only benchmarks; README.md of the folder above says what each figure is. It knows the programs from outside, as their
// users do; make bench builds them first.
package live

// Package zz z.
package zz

// F x.
func F() { panic("x") }

//go:build !linux

package tine

import "crypto/rand"

func hostEntropy(p []byte) { rand.Read(p) }

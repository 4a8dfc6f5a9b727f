package x86

var tableX87 []Row

package x86

var tableMMX []Row

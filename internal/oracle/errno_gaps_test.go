//go:build linux && amd64

package oracle

// errnoGaps are rows that tine answers otherwise than Linux, by table and row,
// with what tine lacks. A row that tine gives as Linux does must leave the list.
var errnoGaps = map[string]string{}

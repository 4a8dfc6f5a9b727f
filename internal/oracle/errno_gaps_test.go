//go:build linux && amd64

package oracle

// errnoGaps are rows that tine answers otherwise than Linux, by table and row,
// with what tine lacks. A row that tine gives as Linux does must leave the list.
var errnoGaps = map[string]string{
	"process/clone3: INTO_CGROUP with a bad descriptor":        "a check is missing",
	"process/clone3: INTO_CGROUP with another kind of file":    "a check is missing",
	"process/clone3: INTO_CGROUP with a descriptor of 40 bits": "a check is missing",
}

// Luavm runs health checks and actions as Argo CD does: Lua 5.1 (gopher-lua, the library Argo CD uses) with the same few
// libraries, the object as the global `obj`.
//
//	luavm health SCRIPT < objects     one JSON object a line in; {"status", "message"} or {"error"} a line out
//	luavm actions SCRIPT < objects    discovery.lua: {"name": {"disabled": …}} a line out
//	luavm run SCRIPT < objects        an action: the object as it left it, a line out
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"context"

	lua "github.com/yuin/gopher-lua"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: luavm health|actions|run SCRIPT < objects")
		os.Exit(2)
	}
	script, err := os.ReadFile(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var object any
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		answer, err := run(string(script), object)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		text, _ := json.Marshal(answer)
		fmt.Println(string(text))
	}
}

func run(script string, object any) (any, error) {
	// What Argo CD opens: no io, no os but time, no debug. Its scripts have a second.
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
		lua.StringLibName: lua.OpenString, lua.MathLibName: lua.OpenMath, lua.OsLibName: openSafeOs,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	deadline, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(deadline)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	return toGo(state.Get(-1)), nil
}

// Of os only the clock, as in Argo CD.
func openSafeOs(state *lua.LState) int {
	lua.OpenOs(state)
	module := state.Get(-1).(*lua.LTable)
	safe := state.NewTable()
	for _, name := range []string{"time", "date"} {
		safe.RawSetString(name, module.RawGetString(name))
	}
	state.SetGlobal(lua.OsLibName, safe)
	state.Push(safe)
	return 1
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, member := range value {
			table.RawSetString(key, toLua(state, member))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, element := range value {
			table.Append(toLua(state, element))
		}
		return table
	case string:
		return lua.LString(value)
	case float64:
		return lua.LNumber(value)
	case bool:
		return lua.LBool(value)
	}
	return lua.LNil
}

func toGo(value lua.LValue) any {
	switch value := value.(type) {
	case *lua.LTable:
		if value.MaxN() > 0 {
			var list []any
			for index := 1; index <= value.MaxN(); index++ {
				list = append(list, toGo(value.RawGetInt(index)))
			}
			return list
		}
		object := map[string]any{}
		value.ForEach(func(key, member lua.LValue) { object[key.String()] = toGo(member) })
		return object
	case lua.LString:
		return string(value)
	case lua.LNumber:
		return float64(value)
	case lua.LBool:
		return bool(value)
	}
	return nil
}

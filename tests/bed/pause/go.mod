module mef.local/tests/bed/pause

go 1.24

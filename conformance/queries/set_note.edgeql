# name: set_note
# args: name str, note optional str
# result: none
update Account filter .name = <str>$0 set { note := <optional str>$1 }
